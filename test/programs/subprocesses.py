"""Child processes: output, exit status, signals, pipes both ways, time-outs."""
import signal
import subprocess

print(subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout.strip())
print(subprocess.run("exit 5", shell=True).returncode)
print(subprocess.run("kill -9 $$", shell=True).returncode == -signal.SIGKILL)
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
out, _ = p.communicate(b"x" * 200000)
print(len(out), p.returncode)
try:
    subprocess.run(["sleep", "5"], timeout=0.2)
except subprocess.TimeoutExpired as e:
    print("timeout", round(e.timeout, 1))  # what was left of it: on a slow machine a little less than was asked
try:
    subprocess.run(["/nonexistent"])
except FileNotFoundError as e:
    print(e.errno)
