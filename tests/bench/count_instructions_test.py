#!/usr/bin/env python3
"""What count_instructions.py makes of counts, compilers and systems. usage: count_instructions_test.py"""

import argparse
import unittest
import unittest.mock

import count_instructions as counting

RECORD = {"compiler": "GNU 12.2.0", "instructions": {"a": 1000, "b": 2000}}


def verdict(**counts):
    return counting.judge(counts, RECORD["instructions"])


class Counting(unittest.TestCase):
    def test_growth_beyond_the_limit_fails_whatever_else_shrank(self):
        self.assertEqual(verdict(a=1030, b=2060)[1], [])
        self.assertEqual(verdict(a=1031, b=1000)[1], ["a"])
        self.assertEqual(verdict(a=1031, b=2061)[1], ["a", "b"])

    def test_a_network_without_a_record_fails(self):
        lines, grown = verdict(c=5)
        self.assertEqual((lines, grown), (["c: 5, not recorded"], ["c"]))

    def test_other_compilers_do_not_compare_but_may_record(self):
        args = argparse.Namespace(compiler="GNU 13.1.0", update=False)
        with unittest.mock.patch("shutil.which", return_value="valgrind"):
            self.assertIn("GNU 13.1.0", counting.unfit(args, RECORD))
            args.update = True
            self.assertIsNone(counting.unfit(args, RECORD))
            args = argparse.Namespace(compiler="GNU 12.2.0", update=False)
            self.assertIsNone(counting.unfit(args, RECORD))
        with unittest.mock.patch("shutil.which", return_value=None):
            self.assertIn("valgrind", counting.unfit(args, RECORD))


if __name__ == "__main__":
    unittest.main()
