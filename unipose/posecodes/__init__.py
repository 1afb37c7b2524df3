"""What can be said of a pose and measured on it; captions are written in the data builders."""
