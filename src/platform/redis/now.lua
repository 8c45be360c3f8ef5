-- Redis's time, in milliseconds since 1970.

-- As text: Lua and cjson write a number much slower than they copy a text (row `work-effect`).
local function nowText()
  local time = redis.call("TIME")
  return time[1] .. string.sub("00000" .. time[2], -6, -4)
end

local function nowMs()
  return tonumber(nowText())
end

return { nowText = nowText, nowMs = nowMs }
