"""Connections that belong to a person: `pool` keeps them apart, `handle` is what an app holds; each kind has a file with its driver."""
