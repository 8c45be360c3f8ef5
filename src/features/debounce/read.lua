-- How many submissions a job has replaced.
-- @include ./window.lua

readFeatures[#readFeatures + 1] = {
  name = "debounce",
  fields = { "debounce" },
  read = function(_, _, _, note)
    local _, _, replaced = parseNote(note or "")
    if replaced and replaced ~= "0" then return tonumber(replaced) end
  end,
}
