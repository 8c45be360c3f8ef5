-- The note of its window.
FIELDS[#FIELDS + 1] = "debounce"
