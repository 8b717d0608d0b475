"""``./lab VERB``: the command line in front of labkit. One module per verb, loaded when used."""
