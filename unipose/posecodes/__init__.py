"""What can be said of a pose: posecodes, what words mean on joints, questions and their answers."""
