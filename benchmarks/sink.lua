-- Answers as much of HealthOmics' storage protocol, and of S3's multipart upload, as a client needs
-- to go its whole way. A body is read to its end and dropped, 64 KiB at a time, before the reply;
-- what is kept is which uploads are open, and the sizes of their parts, since both are listed.

local CHUNK = 65536

local opened, sent = ngx.shared.opened, ngx.shared.sent

local function drain()
    local left = tonumber(ngx.var.http_content_length) or 0
    local drained, last = 0, ""
    if left > 0 then
        local socket = ngx.req.socket()
        while socket and drained < left do
            local data = socket:receiveany(CHUNK)
            if not data then break end
            drained, last = drained + #data, data
        end
    end
    ngx.var.drained = tostring(drained)
    return drained == left and last or nil
end

local READ_SET = '{"id":"2000000001","arn":"arn:aws:omics:us-east-1:000000000000:sequenceStore/'
    .. '1234567890/readSet/2000000001","sequenceStoreId":"1234567890","status":"ACTIVE",'
    .. '"fileType":"FASTQ","creationTime":"2026-01-01T00:00:00Z"}'

-- The checksum has no form that a client could compute: it is opaque.
local PART = '{"partNumber":%s,"partSource":"%s","partSize":%d,"checksum":"dropped"}'

-- Which upload a request is about.
local function upload_id()
    return ngx.var.uri:match("/upload/(%d+)/")
end

local function create()
    -- No two uploads have the same id: the request's number on the connection's is one.
    local id = string.format("1%09d%06d", ngx.var.connection, ngx.var.connection_requests)
    local upload = '{"sequenceStoreId":"1234567890","uploadId":"' .. id .. '","sourceFileType":"FASTQ",'
        .. '"subjectId":"s","sampleId":"s","name":"n","creationTime":"2026-01-01T00:00:00Z"}'
    opened:set(id, upload)
    return upload
end

local function take_part()
    local args, id = ngx.req.get_uri_args(), upload_id()
    if opened:get(id or "") then
        local size = ngx.var.http_content_length
        local part = string.format(PART, args.partNumber, args.partSource, size)
        sent:rpush(id .. args.partSource, part)
    end
    return '{"checksum":"dropped"}'
end

local function list_uploads()
    local rows = {}
    for _, id in ipairs(opened:get_keys(0)) do
        rows[#rows + 1] = opened:get(id)
    end
    return '{"uploads":[' .. table.concat(rows, ",") .. ']}'
end

local function list_parts(body)
    local key = upload_id() .. (body:match("SOURCE%d") or "SOURCE1")
    local rows = {}
    for _ = 1, sent:llen(key) or 0 do
        local row = sent:lpop(key)
        sent:rpush(key, row)
        rows[#rows + 1] = row
    end
    return '{"parts":[' .. table.concat(rows, ",") .. ']}'
end

local function complete()
    opened:delete(upload_id())
    sent:delete(upload_id() .. "SOURCE1")
    sent:delete(upload_id() .. "SOURCE2")
    return '{"readSetId":"2000000001"}'
end

-- Path pattern to what makes the reply.
local REPLIES = {
    { '/part$', take_part },
    { '/upload$', create },
    { '/uploads$', list_uploads },
    { '/parts$', list_parts },
    { '/complete$', complete },
    { '/readsets$', function() return '{"readSets":[]}' end },
    { '/metadata$', function() return READ_SET end },
}

local INITIATED = '<?xml version="1.0"?><InitiateMultipartUploadResult><Bucket>bucket</Bucket>'
    .. '<Key>key</Key><UploadId>upload</UploadId></InitiateMultipartUploadResult>'

local COMPLETED = '<?xml version="1.0"?><CompleteMultipartUploadResult><Bucket>bucket</Bucket>'
    .. '<Key>key</Key><ETag>"dropped"</ETag></CompleteMultipartUploadResult>'

local function s3()
    local args = ngx.req.get_uri_args()
    ngx.header["ETag"] = '"dropped"'
    ngx.header["Content-Type"] = "application/xml"
    if args.uploads then return INITIATED end
    if args.uploadId and ngx.req.get_method() == "POST" then return COMPLETED end
    return ""
end

local body = drain()
if not body then
    return ngx.exit(400)
end
local reply
if ngx.var.uri:find("^/bucket/") then
    reply = s3()
else
    for _, pair in ipairs(REPLIES) do
        if ngx.var.uri:find(pair[1]) then
            reply = pair[2](body)
            break
        end
    end
end
if not reply then
    return ngx.exit(404)
end
ngx.header["Content-Length"] = #reply
ngx.print(reply)
