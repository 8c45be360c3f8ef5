-- The keys that are a job's own, and go with it. Included by other scripts.

local function jobKeys(prefix, id)
  local job = prefix .. id
  return { job, job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful" }
end
