"""The worker's side of processes that run stages: started, spoken to, judged and ended.

Owns what child processes and containers have in common, so that both fail, stop and are told of in
the same way: the adapters only say how one is started and what it sees as its folders.
"""
