--[[
  A debounce key's window: the job that waits for it. `debounce:<hash>` holds the job's id, at least as long as the deduplication key
  of the latest submission is kept. `prefix` is what all keys of the queue begin with.

  A job's field `debounce` is a note: until when that key is kept, when the first submission came (both in milliseconds since 1970), how
  many were replaced, and what decides where the job waits: its delay, priority and extras, which have the hash.
]]

local function windowKey(prefix, hash)
  return prefix .. "debounce:" .. hash
end

-- Nil where it is none.
local function parseNote(note)
  return string.match(note, "^(%d+) (%d+) (%d+) (.*)$")
end

return { windowKey = windowKey, parseNote = parseNote }
