"""The attacks of THREATS.md section 4, each tried for real, and each tried again without the one defence that it is about."""
