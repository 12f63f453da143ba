"""Where a record of evidence is kept: a file, or objects of a bucket; read, verified and gone on with."""
