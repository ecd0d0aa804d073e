-- A client in Lua for Neovim: many calls at once, without blocking the editor.
--
--     ncloud-kms-emulator -- nvim --headless --clean -S client.lua demo-ec no-such-key
local Service = {}
Service.__index = Service

function Service.start()
  local self = setmetatable({ pending = {}, last_id = 0, tail = "" }, Service)
  self.job = vim.fn.jobstart({ "ncloud-kms-rpc", "--log-level", "warning" }, {
    on_stdout = function(_, pieces) self:read(pieces) end,
    on_exit = function(_, status)
      self.status = status
      for id, done in pairs(self.pending) do
        self.pending[id] = nil
        done({ code = 0, message = "ncloud-kms-rpc has ended", data = { type = "Ended", retryable = true } })
      end
    end,
  })
  return self
end

-- Neovim passes what it has read, split at line feeds: the first piece continues the last piece of the previous call.
function Service:read(pieces)
  pieces[1] = self.tail .. pieces[1]
  self.tail = table.remove(pieces)
  for _, line in ipairs(pieces) do
    local answer = vim.fn.json_decode(line)
    local done = self.pending[answer.id]
    self.pending[answer.id] = nil
    done(answer.error, answer.result)
  end
end

-- Calls done(error, result), one of which is nil.
function Service:call(method, params, done)
  self.last_id = self.last_id + 1
  self.pending[self.last_id] = done
  local request = { jsonrpc = "2.0", id = self.last_id, method = method, params = params }
  vim.fn.chansend(self.job, vim.fn.json_encode(request) .. "\n")
end

function Service:close() vim.fn.chanclose(self.job, "stdin") end

local service = Service.start()
for _, tag in ipairs(vim.fn.argv()) do
  service:call("getPublicKey", { keyTag = tag }, function(error, key)
    if error then
      local advice = error.data.retryable and "try again" or "don't try again"
      io.write(table.concat({ tag, error.data.type, error.code, advice }, " "), "\n")
    else
      io.write(table.concat({ tag, key.keyType, key.keySize, key.spkiSha256 }, " "), "\n")
    end
  end)
end
service:close()
vim.wait(30000, function() return service.status end)
vim.cmd("cquit " .. (service.status or 1))
