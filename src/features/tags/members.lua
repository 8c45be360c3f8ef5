-- @include ./tags.lua

membersOfFeatures[#membersOfFeatures + 1] = function(prefix, id) return #tagsOf(prefix, id) end
