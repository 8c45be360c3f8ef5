--[[
  A debounce key's window: the job that waits for it. `debounce:<hash>` holds the job's id, as long as the key of its latest submission is remembered.
  Included by other scripts. `prefix` is what all keys of the queue begin with.

  A job's field `debounce` has the hash, when its first submission came, how many were replaced, and what decides where it waits.
]]

local function windowKey(prefix, hash)
  return prefix .. "debounce:" .. hash
end

local function parseNote(note)
  return string.match(note or "", "^(%S+) (%S+) (%S+) (.*)$")
end
