"""Runs modules of Python's own test suite and prints a line for each case, to be compared with Linux.

Usage: cases.py MODULE...   (names below the package "test")
Output: "case MODULE CLASS.METHOD RESULT", RESULT one of ok, skip, fail, error, xfail. A case is
whatever unittest starts; sub-tests count with their case. What the tests print goes to standard
error of this process and is dropped: only results are compared. Needs libpython3.11-testsuite.
"""
import faulthandler
import os
import sys
import time
import unittest

from test import support
from test.support import os_helper

CASE_SECONDS = 300


class Result(unittest.TestResult):
	"""Prints each case as it ends."""

	def __init__(self, out):
		super().__init__()
		self.out = out
		self.details = os.environ.get("CASES_DETAILS")

	def startTest(self, test):
		super().startTest(test)
		self.state = "ok"
		self.began = time.monotonic()
		if self.details:
			print("start", test.id(), file=sys.stderr, flush=True)
		faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)

	def stopTest(self, test):
		super().stopTest(test)
		faulthandler.cancel_dump_traceback_later()
		self.case(test, self.state)

	def case(self, test, state):
		name = ".".join(test.id().split(".")[-2:])
		module = test.id().split(".")[1]
		self.out.write(f"case {module} {name} {state}\n")
		self.out.flush()
		if self.details:
			print(f"     {time.monotonic() - self.began:.1f} s {state}", file=sys.stderr, flush=True)

	def report(self, test, err, state):
		self.state = state
		if self.details:
			print(self._exc_info_to_string(err, test), file=sys.stderr, flush=True)

	def addError(self, test, err):
		super().addError(test, err)
		self.report(test, err, "error")
		if isinstance(test, unittest.suite._ErrorHolder):
			print("case", test.id().replace(" ", "_"), "error", file=self.out, flush=True)

	def addFailure(self, test, err):
		super().addFailure(test, err)
		self.report(test, err, "fail")

	def addSubTest(self, test, subtest, err):
		super().addSubTest(test, subtest, err)
		if err is not None:
			self.report(test, err, "fail")

	def addSkip(self, test, reason):
		super().addSkip(test, reason)
		self.state = "skip"
		if self.details:
			print("skipped", reason, file=sys.stderr, flush=True)

	def addExpectedFailure(self, test, err):
		super().addExpectedFailure(test, err)
		self.state = "xfail"


def run(module, wanted, out):
	support.use_resources = []
	support.verbose = False
	loaded = unittest.defaultTestLoader.loadTestsFromName("test." + module)
	if wanted:
		cases = [c for c in flatten(loaded) if any(w in c.id() for w in wanted)]
		loaded = unittest.TestSuite(cases)
	loaded.run(Result(out))


def flatten(suite):
	for test in suite:
		if isinstance(test, unittest.TestSuite):
			yield from flatten(test)
		else:
			yield test


def main():
	out = os.fdopen(os.dup(1), "w")
	null = os.open("/dev/null", os.O_WRONLY)
	os.dup2(null, 1)
	if not os.environ.get("CASES_DETAILS"):
		os.dup2(null, 2)
	wanted = os.environ.get("CASES_ONLY", "").split()
	with os_helper.temp_cwd(name="/tmp/cases", quiet=True):
		for module in sys.argv[1:]:
			try:
				run(module, wanted, out)
			except unittest.SkipTest as reason:
				print("case", module, "module skip", file=out, flush=True)
			print("end", module, file=out, flush=True)


if __name__ == "__main__":
	main()
	sys.stdout.flush()
