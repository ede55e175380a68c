"""How fast the functions of models_ml are, against their peers in the same run."""
