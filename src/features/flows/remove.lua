-- Parents that have not learned of a child's end learn of it before its result is gone.
-- @include ./look-at-children.lua
-- @include ../../platform/redis/now.lua

removeFeatures[#removeFeatures + 1] = function(prefix, id, state)
  local child = prefix .. id
  if state == "failed" then failChild(prefix, id, failureReason(prefix, id), nowMs()) end
  if state ~= "completed" then return end
  for _, parent in ipairs(parentsOf(prefix, id)) do
    local key = prefix .. parent.id
    if redis.call("SREM", key .. ":dependencies", child) == 1 then
      recordResult(key, child)
      releaseParent(prefix, parent.id)
    end
  end
end
