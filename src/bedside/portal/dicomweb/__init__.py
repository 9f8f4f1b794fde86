"""DICOMweb over the store: QIDO-RS, WADO-RS and STOW-RS of each tenant. See PS3.18 10 and docs/dicomweb.md.

Owns HTTP: what is asked for and in which form it is given. What there is says the catalogue; frames come
from their place in the file, in the transfer syntax in which they lie.
"""
