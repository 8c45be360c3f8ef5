-- The key of a job's parent; and what a parent's flow is.
FIELDS[#FIELDS + 1], FIELDS[#FIELDS + 2] = "parentKey", "flow"
