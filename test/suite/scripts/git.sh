# A repository from init to gc and fsck; dates and names are fixed, so that every hash is the same everywhere.
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@x
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
cd /tmp && git init -q -b main repo && cd repo
for i in $(seq 1 12); do
	mkdir -p dir$((i % 4))
	seq $i $((i * 40)) >dir$((i % 4))/file$i
	git add .
	git commit -qm "commit $i"
done
git log --oneline
git log --stat -2 | tail -8
git checkout -q -b side HEAD~4
echo side >dir1/side && git add -A && git commit -qm side
git mv dir1/file5 dir2/moved && git commit -qm moved
git checkout -q main && git merge -q --no-ff -m merge side && git log --oneline --graph | head -9
git status --short && git diff HEAD~1 --stat
git tag -a v1 -m v1 && git describe --tags
sed -i 5d dir2/moved && git diff | head -12 && git stash -q && git stash pop -q && git checkout -q .
git count-objects | sed 's/,.*//'
git gc -q --prune=now && git count-objects -v | grep -e ^count -e in-pack -e ^packs
git fsck --full --strict
git clone -q /tmp/repo /tmp/clone && git -C /tmp/clone log --oneline | md5sum
cd /tmp/clone && echo new >new && git add new && git commit -qm new && git push -q origin HEAD:refs/heads/pushed
git -C /tmp/repo rev-parse pushed
git grep -n 400 | head -3
git archive HEAD | tar tf - | wc -l
git rebase -q HEAD~1 && git bisect start HEAD HEAD~3 | tail -1 && git bisect reset 2>/dev/null
git rm -q dir1/side && git commit -qm removed && git show --stat | tail -3
GIT_AUTHOR_NAME=x git worktree add -q /tmp/tree v1 && ls /tmp/tree && git worktree prune
