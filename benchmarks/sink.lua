-- Answers as much of HealthOmics' storage protocol, and of S3's multipart upload, as a client needs
-- to go its whole way. A body is read to its end and dropped, 64 KiB at a time, before the reply.

local CHUNK = 65536

local function drain()
    local left = tonumber(ngx.var.http_content_length) or 0
    local drained = 0
    if left > 0 then
        local socket = ngx.req.socket()
        while socket and drained < left do
            local data = socket:receiveany(CHUNK)
            if not data then break end
            drained = drained + #data
        end
    end
    ngx.var.drained = tostring(drained)
    return drained == left
end

local READ_SET = '{"id":"2000000001","arn":"arn:aws:omics:us-east-1:000000000000:sequenceStore/'
    .. '1234567890/readSet/2000000001","sequenceStoreId":"1234567890","status":"ACTIVE",'
    .. '"fileType":"FASTQ","creationTime":"2026-01-01T00:00:00Z"}'

-- No two uploads have the same id: the request's number on the connection's is one.
local UPLOAD = string.format(
    '{"sequenceStoreId":"1234567890","uploadId":"1%09d%06d","sourceFileType":"FASTQ",'
        .. '"subjectId":"s","sampleId":"s","name":"n","creationTime":"2026-01-01T00:00:00Z"}',
    ngx.var.connection, ngx.var.connection_requests
)

-- Path pattern to reply. The checksum has no form that a client could compute: it is opaque.
local REPLIES = {
    { '/part$', '{"checksum":"dropped"}' },
    { '/upload$', UPLOAD },
    { '/uploads$', '{"uploads":[]}' },
    { '/parts$', '{"parts":[]}' },
    { '/complete$', '{"readSetId":"2000000001"}' },
    { '/readsets$', '{"readSets":[]}' },
    { '/metadata$', READ_SET },
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

if not drain() then
    return ngx.exit(400)
end
local reply
if ngx.var.uri:find("^/bucket/") then
    reply = s3()
else
    for _, pair in ipairs(REPLIES) do
        if ngx.var.uri:find(pair[1]) then
            reply = pair[2]
            break
        end
    end
end
if not reply then
    return ngx.exit(404)
end
ngx.header["Content-Length"] = #reply
ngx.print(reply)
