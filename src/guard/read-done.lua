--[[
  Reads the results of effects that are done, each with its content. Not atomic beyond each: what is done stays so.
]]
local call = command({
  keys = {
    -- Not read: it shares its slot with the ledgers.
    "calls",
  },
  arguments = {
    "ledgerPrefix",
    -- JSON, for each: [deduplication key, effect, fingerprint of its content].
    "asked",
  },
  returns = [[JSON, for each its result as text; false where it is not done, has none, or has other content]],
  whenFull = "runs",
})

local found = {}
for index, asked in ipairs(cjson.decode(call.asked)) do
  local dedupKey, effect, content = unpack(asked)
  local ledger = call.ledgerPrefix .. dedupKey
  local entry, result, known = unpack(redis.call("HMGET", ledger, "e:" .. effect, "r:" .. effect, "content"))
  -- The entry's text has no spaces, and every quote in a value escaped.
  local isDone = entry and known == content and string.find(entry, '"state":"done"', 1, true)
  found[index] = isDone and result or false
end
return cjson.encode(found)
