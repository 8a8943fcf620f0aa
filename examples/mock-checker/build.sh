#!/bin/sh
# Packs the script for the upload: mock-checker.tgz beside this file.
set -eu
cd "$(dirname "$0")"
tar -czf mock-checker.tgz main.py
echo "Built $PWD/mock-checker.tgz"
