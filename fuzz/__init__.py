"""A fuzzer of structure: files that are nearly right, put to every door that reads files from outside."""
