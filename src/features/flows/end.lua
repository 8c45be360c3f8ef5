-- @include ./flow.lua

endFeatures[#endFeatures + 1] = function(prefix, id, reason, now)
  cancelFlow(prefix .. id)
  failChild(prefix, id, reason, now)
end
