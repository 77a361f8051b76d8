"""One file per unit: what turns a `<REF>`'s hidden state into geometry. The contract is in `_contract.py`."""
