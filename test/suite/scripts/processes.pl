# Fork, pipes, socketpairs and signals, as Perl programs use them. One line a case: "case perl NAME ok".
# Every case runs in a process of its own, so that one that dies or hangs costs only itself.
use strict;
use warnings;
use Socket;
use POSIX qw(:sys_wait_h :signal_h :fcntl_h :errno_h);
use IO::Handle;
use IO::Select;
use IPC::Open2;
use IPC::Open3;
use File::Temp qw(tempfile tempdir);
use Time::HiRes qw(time sleep alarm ualarm setitimer ITIMER_REAL);

$| = 1;

my @cases;
sub test { push @cases, [@_]; }
sub check { my ($ok, $what) = @_; die "not: $what\n" unless $ok; }
sub is { my ($got, $want, $what) = @_; die "$what: got '$got', want '$want'\n" unless $got eq $want; }

test fork_status => sub {
	for my $want (0, 1, 42, 255) {
		my $pid = fork // die;
		POSIX::_exit($want) unless $pid;
		is(waitpid($pid, 0), $pid, "waitpid");
		is($? >> 8, $want, "status");
		is($? & 127, 0, "signal");
	}
};
test fork_signal_status => sub {
	for my $sig (SIGTERM, SIGKILL, SIGUSR1, SIGALRM) {
		my $pid = fork // die;
		unless ($pid) { sleep 100; POSIX::_exit(0); }
		kill $sig, $pid;
		waitpid($pid, 0);
		is($? & 127, $sig, "signal");
	}
};
test wait_many => sub {
	my %want;
	for my $n (1 .. 20) {
		my $pid = fork // die;
		POSIX::_exit($n) unless $pid;
		$want{$pid} = $n;
	}
	while ((my $pid = wait) > 0) { is($? >> 8, delete $want{$pid}, "status of a child"); }
	check(!%want, "all children were reaped");
	is($! + 0, ECHILD, "errno");
};
test wait_nohang => sub {
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	unless ($pid) { close $w; <$r>; POSIX::_exit(3); }
	is(waitpid($pid, WNOHANG), 0, "waitpid while it runs");
	close $w;
	is(waitpid($pid, 0), $pid, "waitpid");
	is($? >> 8, 3, "status");
	is(waitpid($pid, WNOHANG), -1, "waitpid afterwards");
};
test wait_stopped => sub {
	my $pid = fork // die;
	unless ($pid) { sleep 1 while 1; }
	kill 'STOP', $pid;
	is(waitpid($pid, WUNTRACED), $pid, "stopped");
	kill 'CONT', $pid;
	kill 'TERM', $pid;
	is(waitpid($pid, 0), $pid, "ended");
	is($? & 127, SIGTERM, "its signal");
};
test pipe_text => sub {
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	unless ($pid) { close $r; $w->autoflush(1); print $w "line $_\n" for 1 .. 5000; POSIX::_exit(0); }
	close $w;
	my ($n, $sum) = (0, 0);
	while (<$r>) { /^line (\d+)$/ or die "bad line"; $n++; $sum += $1; }
	is("$n $sum", "5000 12502500", "lines");
	waitpid($pid, 0);
};
test pipe_large => sub {
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	my $block = join '', map { chr($_ % 251) } 1 .. 100_000;
	unless ($pid) { close $r; binmode $w; print $w $block for 1 .. 10; close $w; POSIX::_exit(0); }
	close $w;
	local $/;
	my $all = <$r>;
	is(length $all, 1_000_000, "length");
	check($all eq $block x 10, "content");
	waitpid($pid, 0);
};
test pipe_broken => sub {
	local $SIG{PIPE} = sub { $main::broken++ };
	pipe(my $r, my $w) or die;
	close $r;
	$main::broken = 0;
	check(!defined syswrite($w, "x"), "write fails");
	is($! + 0, EPIPE, "errno");
	is($main::broken, 1, "SIGPIPE");
	my $pid = fork // die;
	unless ($pid) { $SIG{PIPE} = 'DEFAULT'; syswrite($w, "x"); POSIX::_exit(0); }
	waitpid($pid, 0);
	is($? & 127, SIGPIPE, "child's signal");
};
test pipe_nonblocking => sub {
	pipe(my $r, my $w) or die;
	$_->blocking(0) for $r, $w;
	check(!defined sysread($r, my $b, 1), "empty");
	is($! + 0, EAGAIN, "errno of an empty pipe");
	my ($n, $total) = (0, 0);
	$total += $n while defined($n = syswrite($w, "x" x 4096));
	is($! + 0, EAGAIN, "errno of a full pipe");
	is($total, 65536, "capacity");
};
test pipe_select => sub {
	my (%pid, $set);
	$set = IO::Select->new;
	for my $n (1 .. 8) {
		pipe(my $r, my $w) or die;
		my $pid = fork // die;
		unless ($pid) { sleep 0.02 * (9 - $n); syswrite $w, "$n"; POSIX::_exit(0); }
		$set->add($r);
	}
	my $got = '';
	while ($set->count) {
		for my $r ($set->can_read(5)) { if (sysread $r, my $b, 10) { $got .= $b } else { $set->remove($r) } }
		last unless length $got < 8;
	}
	is(join('', sort split //, $got), "12345678", "all wrote");
	1 while wait > 0;
};
test open_read => sub {
	open(my $h, '-|', 'seq', '1', '1000') or die;
	my $sum = 0;
	$sum += $_ while <$h>;
	close $h or die;
	is($sum, 500500, "sum");
};
test open_write => sub {
	my ($t, $name) = tempfile(UNLINK => 1);
	open(my $h, '|-', "sort -n | tail -3 >$name") or die;
	print $h "$_\n" for reverse 1 .. 200;
	close $h or die;
	local $/;
	is(<$t>, "198\n199\n200\n", "output");
};
test open_status => sub {
	open(my $h, '-|', 'sh', '-c', 'echo a; exit 7') or die;
	my @l = <$h>;
	check(!close $h, "close fails");
	is($? >> 8, 7, "status");
};
test open_fork_self => sub {
	my $pid = open(my $h, '-|') // die;
	unless ($pid) { print "from child ", getppid(), "\n"; POSIX::_exit(0) if close STDOUT; }
	is(scalar <$h>, "from child $$\n", "line");
	close $h;
};
test backticks => sub {
	is(scalar(`echo one; echo two`), "one\ntwo\n", "text");
	my @l = `seq 1 50`;
	is(scalar @l, 50, "lines");
	`sh -c 'exit 9'`;
	is($? >> 8, 9, "status");
};
test system_status => sub {
	is(system('true'), 0, "true");
	is(system('false') >> 8, 1, "false");
	is(system('sh', '-c', 'kill -9 $$'), 9, "killed");
	{ no warnings; is(system('/nonexistent/program'), -1, "missing"); }
	is($! + 0, ENOENT, "errno");
};
test exec_failure => sub {
	no warnings;
	check(!exec('/nonexistent/program', 'x'), "exec returns");
	is($! + 0, ENOENT, "errno");
	check(!exec({'/etc/passwd'} '/etc/passwd'), "exec of a file without x");
	is($! + 0, EACCES, "errno");
};
test open2_cat => sub {
	my $pid = open2(my $r, my $w, 'cat', '-n');
	print $w "alpha\nbeta\n";
	close $w;
	is(join('', <$r>), "     1\talpha\n     2\tbeta\n", "output");
	waitpid($pid, 0);
	is($?, 0, "status");
};
test open3_errors => sub {
	use Symbol 'gensym';
	my $pid = open3(my $w, my $r, my $e = gensym, 'sh', '-c', 'cat; echo bad >&2; exit 4');
	print $w "good";
	close $w;
	is(join('', <$r>), "good", "output");
	is(join('', <$e>), "bad\n", "errors");
	waitpid($pid, 0);
	is($? >> 8, 4, "status");
};
test socketpair_stream => sub {
	socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
	$_->autoflush(1) for $a, $b;
	my $pid = fork // die;
	unless ($pid) { close $a; while (<$b>) { print $b scalar reverse(substr $_, 0, -1), "\n" } POSIX::_exit(0); }
	close $b;
	for my $word (qw(hello world ringfence)) {
		print $a "$word\n";
		is(scalar <$a>, reverse($word) . "\n", "answer");
	}
	shutdown($a, 1);
	is(waitpid($pid, 0), $pid, "the child ends at end of file");
};
test socketpair_datagram => sub {
	socketpair(my $a, my $b, AF_UNIX, SOCK_DGRAM, PF_UNSPEC) or die;
	send($a, "m$_" x $_, 0) // die for 1 .. 5;
	for my $n (1 .. 5) { recv($b, my $m, 100, 0) // die; is($m, "m$n" x $n, "message"); }
};
test socketpair_nonblocking => sub {
	socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
	$a->blocking(0);
	check(!defined sysread($a, my $x, 1), "empty");
	is($! + 0, EAGAIN, "errno");
	close $b;
	is(sysread($a, $x, 1), 0, "end of file");
};
test unix_server => sub {
	my $path = tempdir(CLEANUP => 1) . '/s';
	socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
	bind($s, sockaddr_un($path)) or die;
	listen($s, 5) or die;
	for my $n (1 .. 5) {
		my $pid = fork // die;
		next if $pid;
		socket(my $c, AF_UNIX, SOCK_STREAM, 0) or die;
		connect($c, sockaddr_un($path)) or die;
		syswrite $c, "client $n\n";
		sysread $c, my $answer, 100;
		POSIX::_exit($answer eq "hello client $n\n" ? 0 : 1);
	}
	for (1 .. 5) { accept(my $c, $s) or die; sysread $c, my $line, 100; syswrite $c, "hello $line"; close $c; }
	while (wait > 0) { is($?, 0, "client"); }
};
test signal_handler => sub {
	my %count;
	local @SIG{qw(USR1 USR2 HUP WINCH)} = (sub { $count{$_[0]}++ }) x 4;
	for my $sig (qw(USR1 USR2 HUP WINCH)) { kill $sig, $$ for 1 .. 3; }
	is(join(' ', map { "$_=$count{$_}" } sort keys %count), "HUP=3 USR1=3 USR2=3 WINCH=3", "counts");
};
test signal_ignored => sub {
	local $SIG{TERM} = 'IGNORE';
	kill TERM => $$;
	my $pid = fork // die;
	unless ($pid) { kill TERM => $$; exec 'sh', '-c', 'kill -TERM $$; exit 5'; }
	waitpid($pid, 0);
	is($? >> 8, 5, "ignored across exec");
};
test signal_block => sub {
	my $hit = 0;
	local $SIG{USR1} = sub { $hit++ };
	my $set = POSIX::SigSet->new(SIGUSR1);
	my $old = POSIX::SigSet->new;
	sigprocmask(SIG_BLOCK, $set, $old) or die;
	kill USR1 => $$;
	is($hit, 0, "blocked");
	my $pending = POSIX::SigSet->new;
	sigpending($pending);
	check($pending->ismember(SIGUSR1), "pending");
	sigprocmask(SIG_SETMASK, $old) or die;
	is($hit, 1, "delivered");
};
test signal_suspend => sub {
	my $hit = 0;
	local $SIG{USR1} = sub { $hit++ };
	my $set = POSIX::SigSet->new(SIGUSR1);
	sigprocmask(SIG_BLOCK, $set) or die;
	my $parent = $$;
	my $pid = fork // die;
	unless ($pid) { kill USR1 => $parent; POSIX::_exit(0); }
	sigsuspend(POSIX::SigSet->new) while !$hit;
	is($hit, 1, "woken");
	waitpid($pid, 0);
};
test signal_sigaction => sub {
	my @got;
	sigaction(SIGUSR1, POSIX::SigAction->new(sub { push @got, $_[0] }, POSIX::SigSet->new(SIGUSR2), SA_RESTART)) or die;
	kill USR1 => $$;
	is("@got", "USR1", "handler");
};
test signal_child => sub {
	my %done;
	local $SIG{CHLD} = sub { while ((my $p = waitpid(-1, WNOHANG)) > 0) { $done{$p} = $? >> 8 } };
	my @pids;
	for my $n (1 .. 6) { my $p = fork // die; POSIX::_exit($n) unless $p; push @pids, $p; }
	my $end = time + 10;
	sleep 0.05 while keys %done < 6 && time < $end;
	is(join(' ', map { $done{$_} } @pids), "1 2 3 4 5 6", "statuses");
};
test child_ignored => sub {
	local $SIG{CHLD} = 'IGNORE';
	my $pid = fork // die;
	POSIX::_exit(0) unless $pid;
	is(waitpid($pid, 0), -1, "no zombie");
	is($! + 0, ECHILD, "errno");
};
test alarm_read => sub {
	pipe(my $r, my $w) or die;
	eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 0.1; sysread $r, my $b, 1; alarm 0; };
	is($@, "alarm\n", "interrupted");
};
test itimer => sub {
	my $ticks = 0;
	local $SIG{ALRM} = sub { $ticks++ };
	setitimer(ITIMER_REAL, 0.02, 0.02);
	my $end = time + 10;
	sleep 0.5 while $ticks < 5 && time < $end;
	setitimer(ITIMER_REAL, 0);
	check($ticks >= 5, "ticks");
};
test interrupted_read => sub {
	pipe(my $r, my $w) or die;
	sigaction(SIGUSR1, POSIX::SigAction->new(sub { })) or die;
	my $parent = $$;
	my $pid = fork // die;
	unless ($pid) { sleep 0.1; kill USR1 => $parent; POSIX::_exit(0); }
	check(!defined sysread($r, my $b, 1), "read fails");
	is($! + 0, EINTR, "errno");
	waitpid($pid, 0);
};
test kill_group => sub {
	my $pid = fork // die;
	unless ($pid) {
		setpgrp(0, 0);
		for (1 .. 3) { my $p = fork // die; unless ($p) { sleep 100; POSIX::_exit(0) } }
		sleep 100;
		POSIX::_exit(0);
	}
	sleep 0.01 until getpgrp($pid) == $pid;
	pipe(my $r, my $w) or die;
	kill -(SIGTERM), $pid;
	waitpid($pid, 0);
	is($? & 127, SIGTERM, "leader");
};
test kill_errors => sub {
	is(kill(0, $$), 1, "oneself");
	is(kill(0, 99999999), 0, "no such process");
	is($! + 0, ESRCH, "errno");
};
test process_groups => sub {
	my $pid = fork // die;
	unless ($pid) {
		POSIX::setsid() == $$ or POSIX::_exit(1);
		getpgrp(0) == $$ or POSIX::_exit(2);
		open(my $t, '<', '/dev/tty') and POSIX::_exit(3);
		POSIX::_exit(0);
	}
	waitpid($pid, 0);
	is($?, 0, "session");
};
test pause_wakes => sub {
	my $hit = 0;
	local $SIG{ALRM} = sub { $hit++ };
	ualarm 50_000;
	POSIX::pause();
	is($hit, 1, "alarm");
};
test flock => sub {
	use Fcntl ':flock';
	my ($h, $name) = tempfile(UNLINK => 1);
	flock($h, LOCK_EX) or die;
	my $pid = fork // die;
	unless ($pid) {
		open(my $g, '+<', $name) or POSIX::_exit(1);
		flock($g, LOCK_EX | LOCK_NB) and POSIX::_exit(2);
		flock($g, LOCK_EX) or POSIX::_exit(3);
		POSIX::_exit(0);
	}
	sleep 0.1;
	flock($h, LOCK_UN);
	waitpid($pid, 0);
	is($?, 0, "child");
};
test counter_file => sub {
	use Fcntl ':flock';
	my ($h, $name) = tempfile(UNLINK => 1);
	print $h 0; close $h;
	my @pids;
	for (1 .. 4) {
		my $pid = fork // die;
		unless ($pid) {
			for (1 .. 25) {
				open(my $g, '+<', $name) or POSIX::_exit(1);
				flock $g, LOCK_EX;
				my $v = <$g>;
				seek $g, 0, 0; print $g $v + 1; close $g;
			}
			POSIX::_exit(0);
		}
		push @pids, $pid;
	}
	waitpid $_, 0 for @pids;
	open(my $g, '<', $name) or die;
	is(scalar <$g>, 100, "count");
};
test dup_redirect => sub {
	my ($t, $name) = tempfile(UNLINK => 1);
	open(my $save, '>&', \*STDOUT) or die;
	open(STDOUT, '>', $name) or die;
	print "printed\n";
	system 'echo from a child';
	open(STDOUT, '>&', $save) or die;
	local $/;
	is(<$t>, "printed\nfrom a child\n", "file");
};
test close_on_exec => sub {
	$^F = 2;
	open(my $h, '<', '/etc/passwd') or die;
	my $n = fileno $h;
	is(system("test -e /proc/self/fd/$n") >> 8, 1, "closed");
	use Fcntl;
	fcntl($h, F_SETFD, 0) or die;
	is(system("test -e /proc/self/fd/$n") >> 8, 0, "kept");
};
test truncate_and_append => sub {
	my ($h, $name) = tempfile(UNLINK => 1);
	print $h "0123456789"; close $h;
	truncate $name, 4;
	open(my $a, '>>', $name); print $a "xy"; close $a;
	open(my $r, '<', $name);
	is(scalar <$r>, "0123xy", "content");
};
test directory_tree => sub {
	my $d = tempdir(CLEANUP => 1);
	mkdir "$d/$_" or die for 1 .. 30;
	for my $n (1 .. 30) { open(my $f, '>', "$d/$n/f$_") or die for 1 .. 3; }
	require File::Find;
	my $files = 0;
	File::Find::find(sub { $files++ if -f }, $d);
	is($files, 90, "files");
	rename "$d/1", "$d/one" or die;
	check(!rmdir "$d/one", "rmdir of a full directory");
	is($! + 0, ENOTEMPTY, "errno");
};
test times_and_limits => sub {
	my ($u) = times;
	my $x = 0;
	$x += $_ * $_ for 1 .. 2_000_000;
	my ($v) = times;
	check($v > $u, "user time grows");
};
test sockets_select_write => sub {
	socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
	$a->blocking(0);
	1 while defined syswrite($a, "x" x 8192);
	my $s = IO::Select->new($a);
	is(scalar(() = $s->can_write(0)), 0, "full");
	$b->blocking(0);
	1 while sysread($b, my $x, 65536);
	is(scalar(() = $s->can_write(1)), 1, "writable again");
};
test local_time => sub {
	local $ENV{TZ} = 'UTC';
	POSIX::tzset();
	is(POSIX::strftime('%Y-%m-%d %H:%M:%S', gmtime 86400 * 365), '1971-01-01 00:00:00', "time");
};

for my $case (@cases) {
	my ($name, $code) = @$case;
	my $pid = fork // die;
	unless ($pid) {
		CORE::alarm(0);
		my $watch = $$;
		my $guard = fork;
		unless ($guard) { CORE::sleep(60); kill KILL => $watch; POSIX::_exit(0); }
		# The guard is not a child that the case could wait for.
		my $inner = fork // die;
		if ($inner) { waitpid($inner, 0); my $s = $?; kill KILL => $guard; POSIX::_exit($s ? 1 : 0); }
		my $ok = eval { $code->(); 1 };
		print STDERR "$name: $@" unless $ok;
		POSIX::_exit($ok ? 0 : 1);
	}
	waitpid($pid, 0);
	print "case perl $name ", ($? == 0 ? "ok" : "fail"), "\n";
}
