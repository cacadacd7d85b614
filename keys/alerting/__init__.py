"""What operators and owners are told about keys, limits and use without asking."""
