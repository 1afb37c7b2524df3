"""Our own rasteriser and the pictures it draws: no window, no graphics driver, same bytes."""
