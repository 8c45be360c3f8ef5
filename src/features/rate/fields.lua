-- Its rate.
FIELDS[#FIELDS + 1] = "asks"
