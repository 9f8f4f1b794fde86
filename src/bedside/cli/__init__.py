"""The command line: one file per noun.

Owns words, tables, prompts and exit codes; decides nothing about studies or jobs. Commands import
what they need when they run, so that ``bedside --help`` costs milliseconds.
"""
