// Uploads what other processes made, as publishDir would copy it; the receipt is what comes out.
// nextflow run main.nf --store 1234567890 --reads 'data/*.fastq.gz'
params.store = null
params.reads = 'data/*.fastq.gz'

process UPLOAD {
    tag "${name}"
    cpus 2
    maxForks 2                 // uploads of one host share its link and the account's quota
    errorStrategy { task.exitStatus in [5, 130] ? 'retry' : 'finish' }  // those can be resumed
    maxRetries 3

    input:
    tuple val(name), path(reads)

    output:
    tuple val(name), path("${name}.receipt.json")

    script:
    // The journal is outside of the work folder, so that a retry goes on where the first one stopped.
    """
    turboupload upload ${reads} --store ${params.store} --name ${name} --sample ${name} --subject ${name} \\
        --state-dir ${launchDir}/.turboupload --receipt ${name}.receipt.json --quiet
    """
}

workflow {
    if (!params.store) { error 'give the sequence store: --store ID' }
    UPLOAD(channel.fromPath(params.reads).map { file -> tuple(file.simpleName, file) })
    UPLOAD.out.view { name, receipt -> "${name}: ${receipt}" }
}
