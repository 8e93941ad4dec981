-- Health of MtlsCertificateAuthority and MtlsHostBinding for Argo CD, from the conditions Ready, Reconciling and Stalled.
-- One script for both kinds, because they say how they are in the same words. argocd-cm.yaml is rendered from it.
--
-- Argo CD runs it with Lua 5.1 and no library but `table`: no string functions here.
--
--   first that holds                                       health
--   spec.suspend                                           Suspended, nothing will change whatever else is the case
--   being deleted, reason DeletionBlocked                  Degraded, somebody has to act
--   being deleted                                          Progressing
--   status or Ready absent, or about an older spec         Progressing
--   Stalled                                                Degraded
--   Reconciling                                            Progressing, also where what was in force stays Ready
--   Ready True                                             Healthy
--   Ready Unknown                                          Progressing
--   Ready False, reason Observed                           Suspended, somebody chose that nothing be done
--   Ready False                                            Degraded: not well, and nothing is under way
--
-- Argo CD answers Progressing by itself for what is being deleted, without asking; the two lines above are what it would
-- be told, and say so to whoever runs the script otherwise.

local function health(status, message)
  return { status = status, message = message }
end

local function said(condition)
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.reason .. ": " .. condition.message
end

local generation = obj.metadata.generation
local status = obj.status or {}

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

-- A condition of an older spec says nothing about this one.
local function isTrue(condition)
  return condition ~= nil and condition.status == "True" and condition.observedGeneration == generation
end

local ready, reconciling, stalled = conditions.Ready, conditions.Reconciling, conditions.Stalled

if obj.spec ~= nil and obj.spec.suspend then
  if obj.metadata.deletionTimestamp ~= nil then
    return health("Suspended", "The deletion waits until spec.suspend is lifted.")
  end
  return health("Suspended", "spec.suspend is true: what is in force stays, nothing is changed.")
end

if obj.metadata.deletionTimestamp ~= nil then
  if ready ~= nil and ready.reason == "DeletionBlocked" then
    return health("Degraded", said(ready))
  end
  return health("Progressing", ready ~= nil and said(ready) or "Being deleted.")
end

if ready == nil then
  return health("Progressing", "The operator has not taken it up yet.")
end
if status.observedGeneration ~= generation or ready.observedGeneration ~= generation then
  return health("Progressing", "The operator has not seen this change yet.")
end
if isTrue(stalled) then
  return health("Degraded", said(stalled))
end
if isTrue(reconciling) then
  return health("Progressing", said(reconciling))
end
if ready.status == "True" then
  return health("Healthy", said(ready))
end
if ready.status ~= "False" then
  return health("Progressing", said(ready))
end
if ready.reason == "Observed" then
  return health("Suspended", said(ready))
end
return health("Degraded", said(ready))
