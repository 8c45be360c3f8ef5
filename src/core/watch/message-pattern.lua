--[[
  What stays the same in the messages of one kind of failure: without numbers, ids, hex, UUIDs, times, addresses and quoted parts; but with
  codes of errors, statuses, quoted names of code, and the prefixes of ids. Works on bytes, and does the same as message-pattern.ts; a test
  compares both.
]]
local facts = require("../bullmq/job-facts")

local MESSAGE_MAX, PATTERN_MAX = 900, 200
local WORD, HEX = "[0-9A-Za-z_]", "[0-9A-Fa-f]"
local WORD_START, WORD_END = "%f" .. WORD, "%f[^0-9A-Za-z_]"
local HEX4 = string.rep(HEX, 4)
local CODE = "[A-Z][A-Z]?[A-Z]?[A-Z]?[A-Z]?"
local CODE_NUMBER = "[0-9][0-9][0-9][0-9]?[0-9]?"
local STATUS = "[ :=]+[1-5][0-9][0-9]" .. WORD_END

-- What tells two bugs apart stays: its digits and quotes are hidden from the steps after it, as bytes that UTF-8 never has.
local function hideDigit(digit)
  return string.char(string.byte(digit) + 197)
end

local function hideDigits(text)
  return (string.gsub(text, "[0-9]", hideDigit))
end

local function showDigit(hidden)
  return string.char(string.byte(hidden) - 197)
end

local function keepName(_, name)
  if string.find(name, "_", 1, true) or string.find(name, "[a-z][A-Z]") then return "\255" .. name .. "\255" end
end

-- Each with a text without which it finds nothing: to look for that is quick.
local STEPS = {
  -- An apostrophe is no quote.
  { "([A-Za-z])'([A-Za-z])", "%1^%2", "'" },
  -- The name of a constraint, a column or a property is code, not data.
  { "([rs]e[at][dt]ing )'([A-Za-z_$]+)'", "%1\255%2\255", "ing '" },
  { "([\"'`])([A-Za-z_$]+)%1", keepName },
  { "([\"'`]).-%1", "'#'" },
  { "%f[A-Za-z][A-Za-z]+://[^ \"'`<>%),%]]+", "#", "://" },
  { "%f[A-Za-z0-9._%%+%-][A-Za-z0-9._%%+%-]+@[A-Za-z0-9.%-]+", "#", "@" },
  { WORD_START .. HEX4 .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. HEX4 .. HEX4, "#", "-" },
  -- Codes of errors, such as ORA-00001: and (P2002), and statuses.
  { "^" .. CODE .. "%-?" .. CODE_NUMBER .. ":", hideDigits, ":" },
  { "^" .. CODE .. CODE_NUMBER .. " ", hideDigits },
  { "[(%[]" .. CODE .. "%-?" .. CODE_NUMBER .. "[)%]]", hideDigits },
  { "[Ss]tatus" .. STATUS, hideDigits, "tatus" },
  { "[Cc]ode" .. STATUS, hideDigits, "ode" },
  { "HTTP" .. STATUS, hideDigits, "HTTP" },
  { WORD_START .. HEX4 .. HEX4 .. HEX .. "*" .. WORD_END, "#" },
  -- A prefix says what an id is of.
  { WORD_START .. "([A-Za-z]+_)[0-9A-Za-z]*[0-9]" .. WORD .. "*", "%1#", "_" },
  { WORD_START .. WORD .. "*[0-9]" .. WORD .. "*", "#" },
  -- What is left of a time, an address, a decimal number or a list of numbers.
  { "#[.,:/+%-]+ ?%f[#]", "", "#" },
  { "[\245-\254]", showDigit },
  { "[%^\255]", "'" },
}

-- Leaves no part of a character at the end.
local function cut(text, most)
  if #text <= most then return text end
  local byte = string.byte(text, most + 1)
  while most > 0 and byte >= 128 and byte < 192 do
    most = most - 1
    byte = string.byte(text, most + 1)
  end
  return string.sub(text, 1, most)
end

local function messagePattern(message)
  local text = string.gsub(cut(message, MESSAGE_MAX), "[ \t\n\v\f\r]+", " ")
  local first, last = string.sub(text, 1, 1) == " " and 2 or 1, string.sub(text, -1) == " " and -2 or -1
  text = string.sub(text, first, last)
  for _, step in ipairs(STEPS) do
    local part, by, guard = unpack(step)
    if not guard or string.find(text, guard, 1, true) then text = string.gsub(text, part, by) end
  end
  text = cut(text, PATTERN_MAX)
  return text == "" and "(no message)" or text
end

-- `codes` are all of ours, each between spaces. A text that begins with none of them is a message as a whole.
local function messageOf(reason, codes)
  local code = facts.failureCode(reason)
  if code and string.find(codes, " " .. code .. " ", 1, true) then return string.sub(reason, #code + 3), code end
  return reason, ""
end

local function isEncrypted(message)
  return string.sub(message, 1, 4) == "hf1."
end

return { messagePattern = messagePattern, messageOf = messageOf, isEncrypted = isEncrypted }
