-- A job that waits for its debounce key.
local windows = require("./window")

-- One that is cancelled leaves its window: if it is retried, nothing replaces it.
local function ended(prefix, id)
  local note = redis.call("HGET", prefix .. id, "debounce")
  local hash = note and string.match(note, '"debounce":"(%x+) ')
  if not hash then return end
  local key = windows.windowKey(prefix, hash)
  if redis.call("GET", key) == id then redis.call("DEL", key) end
end

-- The note of its window.
local FIELDS = { "debounce" }

-- How many submissions it has replaced.
local function read(_, _, _, fields)
  local _, _, replaced = windows.parseNote(fields.debounce or "")
  if replaced and replaced ~= "0" then return "debounce", tonumber(replaced) end
end

return { ended = ended, fields = FIELDS, read = read }
