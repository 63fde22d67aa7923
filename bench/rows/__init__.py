"""One small file a row, or a few that share their servers. `ROWS` of each says which functions measure what."""
