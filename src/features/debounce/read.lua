-- How many submissions a job has replaced.
-- @include ./window.lua

readFeatures[#readFeatures + 1] = {
  name = "debounce",
  read = function(_, _, _, fields)
    local _, _, replaced = parseNote(fields.debounce or "")
    if replaced and replaced ~= "0" then return tonumber(replaced) end
  end,
}
