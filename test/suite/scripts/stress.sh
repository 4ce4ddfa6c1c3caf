# Runs stress-ng's stressors one after the other, each for some seconds with its own verification, and prints a line
# for each: "case stress-ng NAME ok", skip or fail. Usage: stress.sh SECONDS CLASS:... or stress.sh SECONDS NAME...
seconds=$1
shift
cd /tmp || exit 1
names=
for word; do
	case $word in
	*:) names="$names $(stress-ng --class "${word%:}?" 2>&1 | sed -n 's/^class .* stressors: //p')" ;;
	*) names="$names $word" ;;
	esac
done
for name in $(echo "$names" | tr ' ' '\n' | sort -u); do
	timeout -s KILL $((seconds * 10 + 60)) stress-ng --"$name" 1 -t "$seconds" --verify --metrics-brief --temp-path /tmp --timestamp >log 2>&1 </dev/null
	status=$?
	result=fail
	[ $status = 0 ] && result=ok
	grep -q 'skipped: 1\|skipped.*stressor\|not implemented\|stressor will be skipped' log && result=skip
	[ -n "${CASES_DETAILS:-}" ] && [ $result != ok ] && { echo "--- $name: status $status"; cat log; }
	echo "case stress-ng $name $result"
	rm -rf /tmp/tmp-stress-ng* /tmp/core*
done
