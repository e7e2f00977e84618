"""Reads an access log in the format of the ALB with two parsers that nobody here wrote, and prints what they found: one JSON
object per line, from aws-log-parser, with the fields that elblog2dict found under "by_regex"."""

import json
import sys

import elblog2dict.parser
from aws_log_parser import AwsLogParser, LogType


def main(path):
    with open(path, encoding="ascii") as log:
        lines = log.read().splitlines()
    typed = AwsLogParser(log_type=LogType.LoadBalancer).parse(lines)
    for line, entry in zip(lines, typed, strict=True):
        by_regex = elblog2dict.parser.parse(line)[0]
        print(json.dumps({**entry.to_dict(), "by_regex": by_regex}, default=str))


main(sys.argv[1])
