"""What the runtime imports: wheels of a lock, pruned, with bytecode, as layers."""
