"""What lives beside the model, in the child: its side of the protocol, and one study from input to output."""
