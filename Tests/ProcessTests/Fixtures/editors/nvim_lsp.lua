-- Neovim's language client: nvim --clean --headless -c 'luafile nvim_lsp.lua', PROGRAM in $PROGRAM.
local ready, status = false, nil
local id = vim.lsp.start_client({
  cmd = vim.fn.split(vim.env.PROGRAM),
  name = 'kms',
  root_dir = '/',
  on_init = function() ready = true end,
  on_exit = function(code) status = code end,
})

local function await(what, condition) assert(vim.wait(60000, condition, 1), what) end

local function main()
  await('initialize', function() return ready end)
  local client = vim.lsp.get_client_by_id(id)
  -- It tells the server of documents.
  vim.lsp.buf_attach_client(0, id)
  local function request(method, params) return client.request_sync(method, params, 60000, 0) end
  assert(request('getPublicKey', { keyTag = 'demo-ec' }).result.keyType == 'EC')
  assert(request('getPublicKey', { keyTag = 'nobody' }).err.code == 1004)
  assert(request('getStatus', vim.NIL).result.pid > 0)
  local count = 0
  for _ = 1, 100 do
    client.request('getPublicKey', { keyTag = 'demo-ec' }, function(_, key) count = count + (key and 1 or 0) end, 0)
  end
  await('100 at once', function() return count == 100 end)
  -- Sends shutdown, then exit.
  client.stop()
  await('the end', function() return status ~= nil end)
  assert(status == 0)
end

local fine, problem = pcall(main)
if not fine then io.stderr:write(tostring(problem) .. '\n') end
vim.cmd(fine and 'qall!' or 'cquit 1')
