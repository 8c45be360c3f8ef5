-- A job that is cancelled leaves its window: if it is retried, nothing replaces it.
-- @include ./window.lua

endFeatures[#endFeatures + 1] = function(prefix, id)
  local note = redis.call("HGET", prefix .. id, "debounce")
  local hash = note and string.match(note, '"debounce":"(%x+) ')
  if not hash then return end
  local key = windowKey(prefix, hash)
  if redis.call("GET", key) == id then redis.call("DEL", key) end
end
