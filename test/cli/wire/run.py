# Runs every case (or those whose names are given) against one program: run.py INTERFACE COMMAND… [-- CASE…]
# Prints a line for each case that fails.
import sys
import time
import traceback

import cases_bad
import cases_connect
import cases_control
import cases_data
import cases_datagram
import cases_end
import cases_multicast
import cases_sack
from packets import RST
from peer import Agent, Failed, Wire

START = (
    'listener = socket.socket(socket.AF_INET6); listener.setsockopt(1, 2, 1); listener.bind(("::", 7000)); listener.listen(100)',
    'datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); datagram.bind(("", 7000))',
)

interface, *command = sys.argv[1:]
wanted = []
if '--' in command:
    wanted = command[command.index('--') + 1:]
    command = command[:command.index('--')]
agent = Agent(command)
wire = Wire(interface, agent)
for line in START:
    agent(line)
wire.learn()
failed = 0
for module in (cases_connect, cases_sack, cases_data, cases_end, cases_bad, cases_multicast, cases_datagram, cases_control):
    for name, case in list(vars(module).items()):
        if not name.startswith('case_') or case.__module__ != module.__name__ or (wanted and name[5:] not in wanted):
            continue
        wire.drain()
        start = time.monotonic()
        try:
            case(wire)
            if wanted:
                print('passed %s (%.1f s)' % (name[5:], time.monotonic() - start))
        except Exception as failure:
            failed += 1
            where = [frame.lineno for frame in traceback.extract_tb(sys.exc_info()[2]) if 'cases_' in frame.filename]
            print('%s: %s (line %s)' % (name[5:], failure if isinstance(failure, Failed) else repr(failure), where), flush=True)
            for conn in wire.conns:
                conn.send(RST)
            agent.settle()
        wire.conns = []
agent.process.stdin.close()
status = agent.process.wait(30)
if status:
    print('the program inside ended with status %d' % status)
sys.exit(1 if failed or status else 0)
