"""Who is asking and what they may: log-ins, tokens, roles, throttles, lock-outs."""
