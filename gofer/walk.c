/*
 * Handlers that begin, move and end fids: version, attach, walk, clunk, flush.
 *
 * Called by main.c's dispatch. Twalkgetattr gives each component reached a fid and its
 * attributes, and says why it stopped; see p9/README.md.
 */
#include "gofer/internal.h"

int gofer_tversion(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tversion t;
	struct p9_rversion r = {0};

	if (!p9_get_tversion(in, &t))
		return -EPROTO;
	if (t.msize < P9_MIN_MSIZE)
		return -EMSGSIZE;
	gofer_fid_clunk_all(g);
	g->ringfence = p9_str_equal(t.version, P9_VERSION_RINGFENCE);
	g->negotiated = g->ringfence || p9_str_equal(t.version, P9_VERSION_LINUX);
	g->msize = t.msize < P9_MAX_MSIZE ? t.msize : P9_MAX_MSIZE;
	r.msize = g->msize;
	r.version = p9_str_from(g->ringfence ? P9_VERSION_RINGFENCE :
				g->negotiated ? P9_VERSION_LINUX : P9_VERSION_UNKNOWN);
	p9_put_rversion(out, &r);
	return 0;
}

/* "" and "/" are what clients that know of no names ask for: the root. */
static struct tree *find_tree(struct gofer *g, struct p9_str name)
{
	if (name.len == 0 || p9_str_equal(name, "/"))
		name = p9_str_from("0");
	for (size_t i = 0; i < g->tree_count; i++)
		if (p9_str_equal(name, g->trees[i].name))
			return &g->trees[i];
	return NULL;
}

static int attach(struct gofer *g, uint32_t number, struct tree *tree, struct p9_attr *attr)
{
	struct node *node;
	struct fid *fid;
	int error, fd;

	if (!tree)
		return -ENOENT;
	error = gofer_fid_free(g, number, &fid);
	if (error)
		return error;
	fd = fcntl(tree->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	node = gofer_node_new(tree, fd, &error);
	if (!node)
		return error;
	error = gofer_node_attr(node, attr);
	if (error)
		gofer_node_put(node);
	else
		gofer_fid_set(fid, node);
	return error;
}

int gofer_tattach(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tattach t;
	struct p9_attr attr;
	int error;

	if (!p9_get_tattach(in, &t))
		return -EPROTO;
	if (t.afid != P9_NOFID)
		return -EINVAL;
	error = attach(g, t.fid, find_tree(g, t.aname), &attr);
	if (!error)
		p9_put_rattach(out, &(struct p9_rattach){attr.qid});
	return error;
}

int gofer_tattachattr(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tattachattr t;
	struct p9_rattachattr r;
	struct tree *tree;
	int error;

	if (!p9_get_tattachattr(in, &t))
		return -EPROTO;
	tree = find_tree(g, t.aname);
	error = attach(g, t.fid, tree, &r.attr);
	if (error)
		return error;
	r.readonly = tree->readonly;
	p9_put_rattachattr(out, &r);
	return 0;
}

int gofer_twalk(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalk t;
	struct p9_rwalk r = {0};
	struct fid *from, *to;
	int error = 0;

	if (!p9_get_twalk(in, &t))
		return -EPROTO;
	from = to = gofer_fid_find(g, t.fid);
	if (!from)
		return -EBADF;
	if (t.newfid != t.fid)
		error = gofer_fid_free(g, t.newfid, &to);
	if (error)
		return error;

	CLEANUP_NODE at = gofer_node_get(from->node);
	for (unsigned i = 0; i < t.names.count && !error; i++) {
		struct node *next = NULL;

		error = gofer_node_lookup(at, t.names.name[i], &next);
		if (error)
			break;
		gofer_node_put(at);
		at = next;
		error = gofer_node_qid(at, &r.qids.qid[r.qids.count]);
		if (!error)
			r.qids.count++;
	}
	if (error && r.qids.count == 0)
		return error;
	if (r.qids.count == t.names.count) {
		if (to == from)
			gofer_fid_clunk(g, from);
		gofer_fid_set(to, gofer_node_get(at));
	}
	p9_put_rwalk(out, &r);
	return 0;
}

int gofer_check_steps(struct gofer *g, const struct p9_steps *steps)
{
	struct fid *fid;

	for (unsigned i = 0; i < steps->count; i++) {
		uint32_t number = steps->step[i].fid;
		int error = number == P9_NOFID ? 0 : gofer_fid_free(g, number, &fid);

		if (error)
			return error;
		for (unsigned j = 0; j < i; j++)
			if (number != P9_NOFID && steps->step[j].fid == number)
				return -EINVAL;
	}
	return 0;
}

/* A name whose attributes are all that is asked for: nothing is opened, a link is not followed. */
static int look_at(const struct node *dir, struct p9_str name, struct p9_attr *attr)
{
	struct name_buf text;
	struct statx stx;

	gofer_name_copy(&text, name);
	if (statx(dir->fd, text.text, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &stx))
		return -errno;
	gofer_attr_from_statx(dir->tree, &stx, attr);
	return 0;
}

/* Nothing that the component is, but what we lack: the client can give some back and ask again, for all of it. */
static int walk_undo(struct gofer *g, const struct p9_twalkgetattr *t, unsigned count, int error)
{
	for (unsigned i = 0; i < count; i++) {
		struct fid *fid = gofer_fid_find(g, t->steps.step[i].fid);

		if (fid)
			gofer_fid_clunk(g, fid);
	}
	return error;
}

int gofer_twalkgetattr(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkgetattr t;
	struct p9_rwalkgetattr r = {0};
	struct p9_attr attr[P9_MAX_WALK];
	struct fid *from;
	int error;

	if (!p9_get_twalkgetattr(in, &t))
		return -EPROTO;
	from = gofer_fid_find(g, t.fid);
	if (!from)
		return -EBADF;
	error = gofer_check_steps(g, &t.steps);
	if (error)
		return error;

	CLEANUP_NODE at = gofer_node_get(from->node);
	while (r.count < t.steps.count) {
		struct node *next = NULL;
		uint32_t number = t.steps.step[r.count].fid;
		struct p9_str name = t.steps.step[r.count].name;

		if (number == P9_NOFID && r.count + 1 == t.steps.count && S_ISDIR(at->mode) && !at->sealed && p9_name_ok(name)) {
			error = look_at(at, name, &attr[r.count]);
			if (error)
				break;
			r.count++;
			continue;
		}
		error = S_ISLNK(at->mode) ? -ELOOP : gofer_node_lookup(at, name, &next);
		if (error)
			break;
		gofer_node_put(at);
		at = next;
		error = gofer_node_attr(at, &attr[r.count]);
		if (error)
			break;
		if (number != P9_NOFID)
			gofer_fid_set(&g->fids[number], gofer_node_get(at));
		r.count++;
	}
	if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
		return walk_undo(g, &t, r.count, error);
	r.ecode = (uint32_t)-error;
	p9_put_rwalkgetattr(out, &r);
	for (unsigned i = 0; i < r.count; i++)
		p9_put_attr(out, &attr[i]);
	return 0;
}

int gofer_walk_one(struct gofer *g, uint32_t dfid, uint32_t newfid, struct p9_str name, struct fid **fid,
	struct node **node)
{
	struct fid *from = gofer_fid_find(g, dfid);
	int error;

	if (!from)
		return -EBADF;
	error = gofer_fid_free(g, newfid, fid);
	return error ? error : gofer_node_lookup(from->node, name, node);
}

int gofer_tclunk(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tclunk t;
	struct fid *fid;

	if (!p9_get_tclunk(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	return fid ? gofer_fid_clunk(g, fid) : -EBADF;
}

int gofer_tclunkmany(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tclunkmany t;
	struct p9_rclunkmany r = {0};

	if (!p9_get_tclunkmany(in, &t))
		return -EPROTO;
	for (unsigned i = 0; i < t.fids.count; i++) {
		struct fid *fid = gofer_fid_find(g, t.fids.fid[i]);

		if (fid && gofer_fid_clunk(g, fid) == 0)
			r.count++;
	}
	p9_put_rclunkmany(out, &r);
	return 0;
}

/* Replies leave in order, so whatever oldtag was has been answered already. */
int gofer_tflush(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tflush t;

	return p9_get_tflush(in, &t) ? 0 : -EPROTO;
}
