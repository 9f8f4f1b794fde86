"""How an older database becomes the present `schema`: one file per step, run by `migrate`."""
