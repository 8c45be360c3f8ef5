-- The key of a job's parent; and of a parent how many children it has, as ChildCounts.
-- @include ./children.lua

local function childrenOf(parent, flow)
  local waiting, completed, failed = countChildren(parent)
  return { waiting, completed, failed, flow == "closed" and 1 or 0 }
end

readFeatures[#readFeatures + 1] = {
  name = "flows",
  read = function(prefix, id, _, fields)
    local parentKey, flow = fields.parentKey, fields.flow
    if parentKey or flow then return { parentKey, flow and childrenOf(prefix .. id, flow) } end
  end,
}
