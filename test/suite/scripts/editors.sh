# vim in ex mode, sed and ed-like work; less without and with a terminal.
cd /tmp
# While vim waits for a command it reads its standard input, and gives up after some ends of file: a slow command needs one that stays open.
vim_and_shell() { vim "$@" < <(exec sleep 30); }
echo "== vim"
seq 1 100 | sed 's/$/ line of text/' >text
vim -u NONE -es text -c '%s/line/row/' -c '10,20d' -c 'g/5/normal Ax' -c '1put =\"inserted\"' -c 'w! out' -c 'q!'
echo "status $?"; md5sum <out; head -3 out
vim -u NONE -es -c 'set nocompatible' -c 'e text' -c 'normal Gddggp' -c 'sort! n' -c '5,$d' -c '%print' -c 'wq! sorted' | head -5
echo "status $?"; cat sorted
vim_and_shell -u NONE -es -c "put =system('echo from a shell; exit 3')" -c 'put =v:shell_error' -c '%print' -c 'q!'; echo
vim_and_shell -u NONE -es -c 'r !seq 3' -c '%!tac' -c 'w! filtered' -c 'q!'; cat filtered
vim -u NONE -es -c 'e missing/dir/file' -c 'w' -c 'q!'; echo "status $?"
vim -u NONE -es text -c 'set undofile undodir=/tmp' -c '1d' -c 'w' -c 'q'; ls -a | grep -c %
vim -u NONE -es text -c 'undo' -c 'cquit 5'; echo "status $?"
vim --version | head -1
echo "== less"
less text | md5sum
less -N text | head -2
less -p 42 text | head -1
cat text | less -S | tail -1
less missing; echo "status $?"
