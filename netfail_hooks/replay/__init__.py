"""Events and recorded decisions, made again."""
